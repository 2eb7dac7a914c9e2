"""Networks in PyTorch: backbones, necks and heads named by a config, and how they are put together."""
