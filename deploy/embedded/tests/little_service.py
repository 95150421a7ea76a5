"""`python -m deploy.embedded.tests.little_service`: a service that does nothing and is healthy."""

import asyncio

from shared.health import serve_health
from shared.settings import Settings


def main() -> None:
    settings = Settings()
    asyncio.run(serve_health("little", settings.health_host, settings.health_port, lambda: ()))


if __name__ == "__main__":
    main()
