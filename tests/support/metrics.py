"""The service's metrics, as a monitoring system reads them."""

import httpx
from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The metrics of one moment."""

    def __init__(self, client: httpx.Client) -> None:
        answer = client.get("/metrics")
        answer.raise_for_status()
        self._families = list(text_string_to_metric_families(answer.text))

    def value(self, name: str, **labels: str) -> float:
        """The value of the sample `classifier_NAME` with these labels; 0 where there is none."""
        return sum(
            sample.value
            for family in self._families
            for sample in family.samples
            if sample.name == f"classifier_{name}" and sample.labels == labels
        )

    @property
    def in_flight(self) -> int:
        """Requests without an answer, except the one that reads the metrics."""
        return int(self.value("in_flight")) - 1

    def answered(self, status: int) -> int:
        """Requests that ended with `status`."""
        return int(self.value("requests_total", status=str(status)))

    @property
    def decoded(self) -> int:
        """Images that were decoded."""
        return int(self.value("decode_seconds_count"))
