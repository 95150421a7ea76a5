"""Why the model repository is left as it was."""


class Refused(Exception):
    """Nothing was changed; a code for programs, and in words why and what to do."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
