"""ONNX graphs: access, execution, and exact rewrites of the float network."""
