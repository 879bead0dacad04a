"""The service's metrics, parsed as a monitoring system does."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


class Scrape:
    """One reading of `/metrics`."""

    def __init__(self, client: httpx.Client) -> None:
        response = client.get("/metrics").raise_for_status()
        self._samples = [
            sample
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
        ]

    def all(self) -> list[Sample]:
        """Every sample."""
        return list(self._samples)

    def samples(self, name: str) -> list[Sample]:
        """The samples of the metric `name`, one for each set of labels."""
        return [sample for sample in self._samples if sample.name == name]

    def value(self, name: str, **labels: str) -> float:
        """The value of `classifier_NAME` with these labels; 0 if there is no such sample."""
        samples = self.samples(f"classifier_{name}")
        return sum(sample.value for sample in samples if sample.labels == labels)

    def total(self, name: str, **labels: str) -> float:
        """The sum of the samples of `classifier_NAME` that have these labels, perhaps others."""
        return sum(
            sample.value
            for sample in self.samples(f"classifier_{name}")
            if labels.items() <= sample.labels.items()
        )

    @property
    def in_flight(self) -> int:
        """Requests in flight, without the one that reads the metrics."""
        return int(self.value("requests_in_flight")) - 1

    def finished(self, status: int) -> int:
        """Requests that finished with `status`."""
        return int(self.value("requests_total", status=str(status)))

    @property
    def decoded(self) -> int:
        """Decoded images."""
        return int(self.value("decode_duration_seconds_count"))
