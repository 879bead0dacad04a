import asyncio
import sys

import aiohttp


async def main() -> None:
    async with aiohttp.ClientSession() as session:
        for path in sys.argv[1:]:
            with open(path, "rb") as photo:
                async with session.post("http://localhost:8000/", data={"file": photo}) as response:
                    print(await response.text())


asyncio.run(main())
