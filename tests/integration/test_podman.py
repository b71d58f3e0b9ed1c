"""README's recipe "With podman", as near as it gets without a user's systemd.

The engine's socket is where `podman.socket` of a user puts it, and nobody tells the daemon. On the
podmans that tests/fetch-engine fetches it is podman's; any other engine has to do there as well.
"""

from __future__ import annotations

from collections.abc import Callable

from daemon import Daemon
from mounts import Mounts
from real_engine import RealEngine
from scenes import present, pulled, used

MakeDaemon = Callable[..., Daemon]


def test_recipe_with_podman(daemon: MakeDaemon, real: RealEngine,
                            mounts: Callable[..., Mounts]) -> None:
    made = daemon(real, {"gc": {"max_unused": "1s", "interval": "1s", "grace": "1h"}})
    del made.environment["DOCKER_HOST"]
    made.front = mounts(real.namespace).enter  # where no other engine has a socket
    place = made.directory / "run/podman/podman.sock"
    place.parent.mkdir()
    place.symlink_to(real.socket_path)
    made.start().wait_watching()
    made.wait_log(rf"^info: engine unix://{place} \(from the usual places\): ")
    image, other = pulled(real, "app"), pulled(real, "other")
    when = used(real, image.reference)
    made.wait_cache(lambda cache: cache.last_used(image.id) == when, "its use")
    assert made.cache().origin(image.id) == "pulled"
    made.stop()
    made.make_older(2 * 3600, other.id)
    made.start()
    made.wait(lambda: present(real, image, other) == [True, False], "the old one's removal")
