"""Real load on Redis: the application's cache, idle clients, and ballast that fills its memory."""

import random
import time
from collections.abc import Iterator
from itertools import islice

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.journal import new_request_id
from demo.load import STEP_SECONDS, ApplicationLoad
from demo.traffic import draw_count, wave

CACHE_PREFIX = "demo:cache:"
BALLAST_PREFIX = "demo:ballast:"
CACHED_KEYS = 200
CACHED_SECONDS = 600
# What one ballast key costs Redis, its own bookkeeping included: the allocator rounds up to this.
BALLAST_BYTES = 16_384
FAILURES = (redis.RedisError, OSError)

# Ballast keys written or removed in one step: 8 MB a second, without keeping the application waiting.
_BALLAST_AT_ONCE = 128
_OPEN_AT_ONCE = 25
# Clients the idle ones leave to the exporter and to whoever has a look.
_ROOM = 12


class RedisLoad(ApplicationLoad):
    """The load: one thread for the cache, one for clients and ballast."""

    def _start(self) -> None:
        self._keep_working("redis", self._settings.redis, FAILURES, self._use_cache, self._press)

    def _connect(self, name: str) -> "redis.Redis":
        assert self._settings.redis is not None
        client = redis.Redis(
            host=self._settings.redis.host,
            port=self._settings.redis.port,
            password=self._settings.redis_password,
            client_name=f"demo-{name}",
            single_connection_client=True,
            socket_timeout=5,
            socket_connect_timeout=3,
            # A silent reconnect would hide that the idle clients are gone too.
            retry=Retry(NoBackoff(), 0),
        )
        client.ping()
        return client

    # The cache

    def _use_cache(self) -> None:
        client = self._connect("cache")
        self._warm_up(client)
        self._journal.info("redis_connected", "the cache is in use", backend="redis")
        last = time.monotonic()
        while not self._stop.wait(STEP_SECONDS):
            now = time.monotonic()
            rate = self._knobs.number("redis_command_rate") * wave(time.time())
            self._look_up(client, draw_count(rate, min(now - last, 1.0)))
            last = now

    def _warm_up(self, client: "redis.Redis") -> None:
        """Fill the cache, so that it has the hit ratio it should have from the start."""
        with client.pipeline(transaction=False) as pipeline:
            for number in range(CACHED_KEYS):
                pipeline.set(_cache_key(number), _price(), ex=CACHED_SECONDS)
            pipeline.execute()

    def _look_up(self, client: "redis.Redis", commands: int) -> None:
        """Send `commands` commands: nine look-ups to one update. What is missing is put there afterwards."""
        hit_ratio = self._knobs.number("cache_hit_ratio")
        with client.pipeline(transaction=False) as pipeline:
            asked = []
            for _ in range(commands):
                key = _cache_key(random.randrange(CACHED_KEYS))
                if random.random() < 0.1:
                    pipeline.set(key, _price(), ex=CACHED_SECONDS)
                    continue
                if random.random() >= hit_ratio:
                    # Nobody ever sets a key with such a name.
                    key = f"{CACHE_PREFIX}none:{new_request_id()}"
                pipeline.get(key)
                asked.append(key)
            found = [reply for reply in pipeline.execute() if reply is None or isinstance(reply, bytes)]
            for key, reply in zip(asked, found, strict=True):
                self._application.count_cache_lookup(reply is not None)
                if reply is None and ":none:" not in key:
                    pipeline.set(key, _price(), ex=CACHED_SECONDS)
            pipeline.execute()

    # Idle clients and ballast

    def _press(self) -> None:
        client = self._connect("load")
        settings = client.config_get("maxclients")
        assert isinstance(settings, dict)
        most_clients = int(settings["maxclients"] or 0) - _ROOM
        ballast = _Ballast(client)
        clients: list[redis.Redis] = []
        try:
            while not self._stop.wait(STEP_SECONDS):
                client.ping()
                self._match_clients(clients, min(int(self._knobs.number("redis_connections")), most_clients))
                ballast.match(int(self._knobs.number("redis_fill_bytes")))
        finally:
            self._match_clients(clients, 0)

    def _match_clients(self, clients: list["redis.Redis"], wanted: int) -> None:
        while len(clients) > wanted:
            clients.pop().close()
        for _ in range(min(wanted - len(clients), _OPEN_AT_ONCE)):
            clients.append(self._connect("idle"))


class _Ballast:
    """Keys that do nothing but take memory."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._filled = 0
        self._next = 0
        # Left behind by a demo that was killed.
        self._remove(client.scan_iter(match=f"{BALLAST_PREFIX}*", count=1000))

    def match(self, wanted_bytes: int) -> None:
        """Go a step towards `wanted_bytes` of ballast, and stay there.

        Around and around: what Redis has evicted meanwhile comes back, so it has to evict again.
        """
        wanted = wanted_bytes // BALLAST_BYTES
        if wanted < self._filled:
            self._remove(iter([_ballast_key(number) for number in range(wanted, self._filled)]))
            self._filled = wanted
        if wanted == 0:
            return
        first = self._next % wanted
        last = min(first + _BALLAST_AT_ONCE, wanted)
        with self._client.pipeline(transaction=False) as pipeline:
            for number in range(first, last):
                # SETRANGE makes Redis allocate the bytes without sending them.
                pipeline.setrange(_ballast_key(number), BALLAST_BYTES - 128, "x")
            pipeline.execute()
        self._filled = max(self._filled, last)
        self._next = last

    def _remove(self, keys: Iterator[str | bytes]) -> None:
        while batch := list(islice(keys, 1000)):
            self._client.unlink(*batch)


def _price() -> str:
    return f"{random.lognormvariate(4, 1):.4f}"


def _cache_key(number: int) -> str:
    return f"{CACHE_PREFIX}{number}"


def _ballast_key(number: int) -> str:
    return f"{BALLAST_PREFIX}{number}"
