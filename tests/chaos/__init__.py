"""Everything goes wrong, again and again, and the library ends as if nothing had happened."""
