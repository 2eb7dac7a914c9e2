"""What is looked at before training starts, so that a run does not fail, or quietly learn rubbish, hours later."""
