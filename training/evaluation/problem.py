"""What a measurement can't be made from, as a code and a sentence that says what to do."""


class BadInput(Exception):
    """Something given to the evaluation is missing or contradicts itself."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
