"""The cost of the services around the function: logs, metrics, S3, traffic, alarms.

The sizes are those of `local.simulation.service_figures`. Not counted: storage of logs, which is a
few percent of their ingestion, requests to the registry, and the free tier.
"""

from dataclasses import dataclass
from typing import Final

from local.simulation import service_figures as prices

COSTS: Final = ("compute", "api", "logs", "metrics", "s3", "transfer", "alarms")
"""The parts of a bill that --costs names."""

HOURS_A_MONTH: Final = 365 / 12 * 24

_BYTES: Final = 1e9
"""in a GB"""


@dataclass(frozen=True)
class Services:
    """What is counted beside the function itself."""

    costs: tuple[str, ...] = ("compute", "api")
    """Some of `COSTS`; the others are not part of the bill"""
    platform_lines: bool = True
    """Whether Lambda logs the start and the report of each invocation (SystemLogLevel INFO)"""
    stored: float = 0
    """The share of requests whose photo comes by S3, 0 to 1"""
    object_kb: float = 0
    """The size of such a photo"""
    alarms: int = 0
    dashboards: int = 0

    def logs(self, invocations: float, cold: float) -> float:
        """USD for the log lines of `invocations`, of which `cold` start an environment."""
        platform = self.platform_lines
        each = prices.CLASSIFICATION_LINE.value + platform * prices.PLATFORM_LINES.value
        start = prices.COLD_START_LINE.value + platform * prices.INIT_LINE.value
        size = (invocations * each + cold * start) / _BYTES
        return self._if("logs", size * prices.LOG_INGESTION.value)

    def metrics(self, hours: float) -> float:
        """USD for the embedded metrics of `hours` with requests."""
        monthly = prices.METRICS.value * prices.CUSTOM_METRIC.value
        return self._if("metrics", monthly * hours / HOURS_A_MONTH)

    def fixed(self, hours: float) -> float:
        """USD for alarms and dashboards."""
        monthly = self.alarms * prices.ALARM.value + self.dashboards * prices.DASHBOARD.value
        return self._if("alarms", monthly * hours / HOURS_A_MONTH)

    def s3(self, requests: float) -> float:
        """USD for the photos of requests that come by S3: written, kept for a day, read."""
        stored = self.object_kb * 1000 / _BYTES * prices.S3_STORAGE.value * 24 / HOURS_A_MONTH
        each = prices.S3_PUT.value + stored + prices.S3_GET.value
        return self._if("s3", requests * self.stored * each)

    def transfer(self, responses: float) -> float:
        """USD for the traffic of responses to the internet; requests are free."""
        size = responses * prices.RESPONSE.value / _BYTES
        return self._if("transfer", size * prices.TRANSFER_OUT.value)

    def _if(self, part: str, usd: float) -> float:
        return usd if part in self.costs else 0.0


FUNCTION_ONLY: Final = Services()
"""Lambda and, in front of it, an HTTP API."""
