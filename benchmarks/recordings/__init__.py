"""One table three times: without history, with ours, with stock django-simple-history."""
