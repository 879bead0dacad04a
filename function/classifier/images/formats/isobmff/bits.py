"""Numbers of any length in bits, as video codings have them."""


class Bits:
    """Reads from the first bit on; beyond the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """The next `count` bits, most significant first."""
        self._left -= count
        shifted = self._value >> self._left if self._left >= 0 else self._value << -self._left
        return shifted & (1 << count) - 1 if self._left > -count else 0

    def read_exp_golomb(self) -> int:
        """An unsigned number of ITU-T H.265, section 9.2; zero if it has more than 32 bits."""
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros) if zeros < 32 else 0
