"""Losses: ``(outputs, targets) -> {"loss": total, part: scalar}``, one file each, all computed in float32."""
