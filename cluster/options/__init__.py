"""What a command line may say: the flags of every key and verb, their types, completion, and former names."""
