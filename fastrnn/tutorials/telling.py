"""What a tutorial says when a fit begins, after all checks and before any progress."""

import fastrnn as fr


class Say(fr.Callback):
    """Prints a line when a fit begins."""

    def __init__(self, line: str) -> None:
        self.line = line

    def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
        print(self.line, flush=True)
