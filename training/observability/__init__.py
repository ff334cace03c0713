"""What a run writes while it trains: logs, TensorBoard, MLflow, embedding files."""
