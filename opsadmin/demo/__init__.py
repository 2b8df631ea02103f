"""The demo world: small enough to start in seconds, real enough to work in."""
