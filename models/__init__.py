"""ONNX models, their cards, and how each was made. None ships yet: README.md says what a card must hold."""
