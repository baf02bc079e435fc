"""Learning: models, losses, the training loop, distillation, ONNX export."""
