"""What a shop's bucket holds and what tells that it changed: keys, feed, listings, messages,
requests."""
