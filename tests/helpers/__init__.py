"""What several tests use: small examples of what the library works on."""
