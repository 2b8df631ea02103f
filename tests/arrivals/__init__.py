"""What arrives from others: an app for tests alone, for real files whose rows no app of ours keeps."""
