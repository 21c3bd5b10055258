"""What builds the site from docs/ and the READMEs, and what runs the listings of its pages."""
