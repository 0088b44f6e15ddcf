"""ONNX models, their cards, how each was made, and the one way to load them: README.md."""
