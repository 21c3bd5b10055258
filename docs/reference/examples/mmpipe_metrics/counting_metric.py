from mmpipe.metrics.base import Metric, Pair, malformed


class Counting(Metric):
    """Mean absolute error of numbers."""

    name, gold_key, headline, is_lower_better = "acme-count", "n_errors", "mean_error", True

    def read_gold(self, record, key=None):
        key = key or self.gold_key
        value = record.get(key)
        if value is not None and not isinstance(value, int):
            malformed(record, key, "a whole number", value)
        return value

    def pairs(self, gold, predicted):
        return [Pair(gold, predicted)]

    def measure(self, pairs):
        return {"mean_error": sum(abs(pair.gold - (pair.predicted or 0)) for pair in pairs) / len(pairs)}
