"""Send ordinary photos of all formats and sizes to the service in small containers.

    python -m local.benchmark.photos [--memory SIZE ...] [--json FILE]

Each photo is an enlarged small one, with grain, so that its file is about as large as a camera's.
The service runs in a container with one CPU. The figures are the CPU time of the request, the peak
memory of the service's process, and the slowest health check meanwhile, and whether the large photo
has the class of the small one, or gives it at most 0.1 less than its own. Exit status 1 if a photo
is refused with 1 GB, or has another class, or a health check takes over a second.
"""

from local.benchmark.photos.cli import photos
from local.common.cli import main

if __name__ == "__main__":
    main(lambda: photos(__doc__ or ""))
