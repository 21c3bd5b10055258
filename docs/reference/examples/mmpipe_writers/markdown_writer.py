class Writer:
    """stream: binary; it stays open. columns: for tables, see WriterSpec; here they do not matter."""

    def __init__(self, stream, columns=None):
        self.stream = stream

    def write(self, result):
        if not isinstance(result.get("text"), str):
            raise ValueError("a result without text cannot be written as Markdown")  # Only this record fails.
        self.stream.write(f"## {result['id']}\n\n{result['text']}\n\n".encode())

    def close(self):
        """Nothing is left to write."""
