"""Sequence encoders: what ``SequenceEncoder.encoder_type`` and the ``Neck`` of a CTC head name; one file each."""
