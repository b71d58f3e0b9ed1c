"""What the daemon makes of each recorded event stream: see test_recorded_streams.py.

First what has become of images, then what had to be asked. An image goes by its first name in the
stream, else by its ID. What is told to be used is so at the time of the last such event.
"""

from __future__ import annotations

MOVED = "ctr-start-moved-tag"
"""Here the container is of an image that has lost its name to another one."""

STAYS = {("podman-4.3", "untag-one-of-several"): "slp:alias", ("podman-4.3", "load"): "io:2"}
"""Images that are said to be deleted: the one has another name, the other is loaded again."""

DOCKER_20_10 = {
    "build-classic-run": [
        "3a1067325902 used: destroy", "cc4e327ce4ee used: destroy", "chain:run used: tag",
    ],
    "build-classic": [
        "cc4e327ce4ee used: destroy", "chain:1 used: tag", "e79cf82fe0d9 used: destroy",
        "e94ad2ce515a used: destroy",
    ],
    "commit-tagged": ["com:1 used: tag"],
    "ctr-create-by-id": ["1214846d17c9 used: create"],
    "ctr-create-labels-image-exitCode-name": ["slp:1 used: create"],
    "ctr-exec": [],
    "ctr-healthcheck": [],
    "ctr-kill": ["slp:1 used: die"],
    "ctr-rm": ["slp:1 used: destroy"],
    "ctr-run-rm": ["slp:alias used: destroy"],
    "ctr-start-moved-tag": ["what had the name used: start"],
    "ctr-stop": ["slp:1 used: die"],
    "engine-shutdown": ["rs:1 used: die"],
    "image-prune-dangling": [
        "0841226842c4 gone", "5631832b8585 gone", "695d1547ccf9 gone", "b261ebf5cada gone",
        "baaed551fd3f gone", "e1af06a5cf9c gone", "asks 0841226842c4", "asks 5631832b8585",
        "asks 695d1547ccf9", "asks b261ebf5cada", "asks baaed551fd3f", "asks e1af06a5cf9c",
    ],
    "import-tagged": ["imp:1 loaded", "imp:1 used: import", "asks imp:1"],
    "load-new": ["5833b890424d loaded", "5833b890424d used: load", "asks 5833b890424d"],
    "pull-all-tags": ["asks 127.0.0.1:5005/d20:latest", "lists images"],
    "pull-by-digest-new": [
        "127.0.0.1:5005/d20@698ee9fe79b2 pulled", "127.0.0.1:5005/d20@698ee9fe79b2 used: pull",
        "asks 127.0.0.1:5005/d20@698ee9fe79b2",
    ],
    "pull-new": [
        "127.0.0.1:5005/d20:v1 pulled", "127.0.0.1:5005/d20:v1 used: pull",
        "asks 127.0.0.1:5005/d20:v1",
    ],
    "push": ["127.0.0.1:5005/d20:v1 used: push", "asks 127.0.0.1:5005/d20:v1"],
    "save": ["5833b890424d used: save"],
    "system-prune": [
        "5833b890424d gone", "5b5ce4a54a37 gone", "asks 5833b890424d", "asks 5b5ce4a54a37",
    ],
    "tag": ["slp:alias used: tag"],
    "untag-one-of-several": ["asks f0a3c340d968"],
    "volume-create-rm": [],
}

DOCKER_28_5 = {
    "build-classic-run": [
        "chain:run built", "chain:run used: tag", "dc7bacee0153 used: destroy",
        "f72e56ec600c built", "f72e56ec600c used: destroy", "asks f72e56ec600c", "asks chain:run",
    ],
    "build-classic": [
        "017da02aed9c built", "017da02aed9c used: destroy", "chain:1 built", "chain:1 used: tag",
        "d235ef61d5d7 built", "d235ef61d5d7 used: destroy", "dc7bacee0153 used: destroy",
        "asks 017da02aed9c", "asks chain:1", "asks d235ef61d5d7",
    ],
    "buildkit-build-new": ["kbase:1 built", "kbase:1 used: create", "asks kbase:1"],
    "commit-tagged": ["com:1 built", "com:1 used: tag", "asks com:1"],
    "ctr-create-by-id": ["c5cf6a078362 used: create"],
    "ctr-create-labels-image-exitCode-name": ["slp:1 used: create"],
    "ctr-exec": [],
    "ctr-kill": ["slp:1 used: die"],
    "ctr-rm": ["slp:1 used: destroy"],
    "ctr-run-rm": ["slp:alias used: destroy"],
    "ctr-start-moved-tag": ["what had the name used: start"],
    "ctr-stop": ["slp:1 used: die"],
    "image-prune-dangling": [
        "17e6859857bf gone", "37777ff3d023 gone", "66ebc33011a2 gone", "bb813c8b9555 gone",
        "c316b3b3f9ff gone", "c71a9a9ae217 gone", "asks 17e6859857bf", "asks 37777ff3d023",
        "asks 66ebc33011a2", "asks bb813c8b9555", "asks c316b3b3f9ff", "asks c71a9a9ae217",
    ],
    "import-tagged": ["imp:1 loaded", "imp:1 used: import", "asks imp:1"],
    "load-new": ["0be16715c802 loaded", "0be16715c802 used: load", "asks 0be16715c802"],
    "pull-all-tags": ["asks 127.0.0.1:5005/d28:latest", "lists images"],
    "pull-by-digest-new": [
        "127.0.0.1:5005/d28@cec01506f893 pulled", "127.0.0.1:5005/d28@cec01506f893 used: pull",
        "asks 127.0.0.1:5005/d28@cec01506f893",
    ],
    "pull-new": [
        "127.0.0.1:5005/d28:v1 pulled", "127.0.0.1:5005/d28:v1 used: pull",
        "asks 127.0.0.1:5005/d28:v1",
    ],
    "push": ["127.0.0.1:5005/d28:v1 used: push", "asks 127.0.0.1:5005/d28:v1"],
    "save": ["0be16715c802 used: save"],
    "system-prune": [
        "0be16715c802 gone", "16971a82cd72 gone", "asks 0be16715c802", "asks 16971a82cd72",
    ],
    "tag": ["slp:alias used: tag"],
    "untag-one-of-several": ["asks a2cd5fcd520a"],
    "volume-create-rm": [],
}

DOCKER_29_7 = {
    "build-classic-cached-newtag": ["chain:2 used: tag"],
    "build-classic-retag": [
        "1ed84f19b588 built", "1ed84f19b588 used: destroy", "78b90e5950d7 used: destroy",
        "chain:2 built", "chain:2 used: tag", "asks 1ed84f19b588", "asks chain:2",
    ],
    "build-classic-run": [
        "3d9799e261b0 used: destroy", "a8355b6533ee built", "a8355b6533ee used: destroy",
        "chain:run built", "chain:run used: tag", "asks chain:run", "asks a8355b6533ee",
    ],
    "build-classic": [
        "3d9799e261b0 built", "3d9799e261b0 used: destroy", "436401561045 built",
        "436401561045 used: destroy", "78b90e5950d7 built", "78b90e5950d7 used: destroy",
        "chain:1 built", "chain:1 used: tag", "asks 3d9799e261b0", "asks 436401561045",
        "asks 78b90e5950d7", "asks chain:1",
    ],
    "build-notag": [
        "317b8e18a9d3 built", "317b8e18a9d3 used: destroy", "727320c7eb2f built",
        "727320c7eb2f used: create", "ca5c3ba21b97 built", "ca5c3ba21b97 used: destroy",
        "asks 317b8e18a9d3", "asks 727320c7eb2f", "asks ca5c3ba21b97",
    ],
    "build-prune": [],
    "build-retag-in-use": [
        "48341a2714e0 built", "48341a2714e0 used: destroy", "d5d356558fbf used: destroy",
        "slp:1 built", "slp:1 used: tag", "asks 48341a2714e0", "asks slp:1",
    ],
    "buildkit-build-cached": ["kbase:1 built", "kbase:1 used: tag", "asks kbase:1"],
    "buildkit-build-from-local": ["kchild:1 built", "kchild:1 used: tag", "asks kchild:1"],
    "buildkit-build-new": ["kbase:1 built", "kbase:1 used: tag", "asks kbase:1"],
    "buildkit-build-newtag": ["kbase:2 built", "kbase:2 used: tag", "asks kbase:2"],
    "buildkit-build-notag": [
        "e2d97ce2168c built", "e2d97ce2168c used: create", "asks e2d97ce2168c",
    ],
    "buildkit-build-retag": ["kbase:2 built", "kbase:2 used: tag", "asks kbase:2"],
    "buildkit-prune-all": [],
    "buildkit-prune": [],
    "by-version-v1.41": ["4224c555ef8a gone", "q:1 gone", "asks 4224c555ef8a", "asks q:1"],
    "by-version-v1.45": ["9478e2fa44ac gone", "q:1 gone", "asks 9478e2fa44ac", "asks q:1"],
    "by-version-v1.46": ["lists images", "asks q:1", "asks 73d7ea0475c1"],
    "by-version-v1.51": ["lists images", "asks 922db0f512dd", "asks q:1"],
    "by-version-v1.52": ["lists images", "asks ce55161c7117", "asks q:1"],
    "by-version": ["lists images", "asks e8c5d5092e98", "asks q:1"],
    "commit-tagged": ["com:1 built", "com:1 used: tag", "asks com:1"],
    "commit-untagged": ["b52cc3508b94 built", "b52cc3508b94 used: create", "asks b52cc3508b94"],
    "container-prune": ["com:1 used: destroy"],
    "cp": [],
    "ctr-create-by-alias": ["slp:alias used: create"],
    "ctr-create-by-digest": ["127.0.0.1:5005/d29@47338fc6649a used: create"],
    "ctr-create-by-id-noprefix": ["29cca8da8858 used: create"],
    "ctr-create-by-id": ["29cca8da8858 used: create"],
    "ctr-create-by-shortid": ["29cca8da8858 used: create"],
    "ctr-create-by-tag": ["slp:1 used: create"],
    "ctr-create-fullname": ["slp:1 used: create"],
    "ctr-create-implicit-latest": ["slp:latest used: create"],
    "ctr-create-labels-image-exitCode-name": ["slp:1 used: create"],
    "ctr-exec": [],
    "ctr-healthcheck": [],
    "ctr-kill": ["slp:1 used: die"],
    "ctr-pause": [],
    "ctr-rename": [],
    "ctr-restart": ["slp:1 used: start"],
    "ctr-rm-force-running": ["slp:alias used: destroy"],
    "ctr-rm": ["slp:1 used: destroy"],
    "ctr-run-bad-command": ["slp:alias used: destroy"],
    "ctr-run-rm": ["slp:alias used: destroy"],
    "ctr-start-image-gone": ["slp:alias used: die"],
    "ctr-start-moved-tag": ["what had the name used: start"],
    "ctr-start": ["slp:1 used: start"],
    "ctr-stop": ["slp:1 used: die"],
    "del-base-of-child": ["base:1 gone", "asks base:1"],
    "del-by-digest-when-tagged": ["127.0.0.1:5005/d29:v1 gone", "asks 127.0.0.1:5005/d29:v1"],
    "del-by-digest": [
        "127.0.0.1:5005/d29@47338fc6649a gone", "asks 127.0.0.1:5005/d29@47338fc6649a",
    ],
    "del-by-tagdigest": ["127.0.0.1:5005/d29:v1 gone", "asks 127.0.0.1:5005/d29:v1"],
    "del-child-after-base": [
        "4d5f686462a8 gone", "acce636ed38f gone", "child:1 gone", "asks 4d5f686462a8",
        "asks acce636ed38f", "asks child:1",
    ],
    "del-conflict-dependent-child": [
        "75e161e6b085 gone", "abe292b7b364 gone", "asks 75e161e6b085", "asks abe292b7b364",
    ],
    "del-last-tag-with-digest": [
        "127.0.0.1:5005/d29:v1 gone", "497669382be9 gone", "ca5c3ba21b97 gone",
        "asks 127.0.0.1:5005/d29:v1", "asks 497669382be9", "asks ca5c3ba21b97",
    ],
    "del-multi-repos-by-id-force": ["m:1 gone", "asks m:1"],
    "del-noprune": ["m:1 gone", "asks m:1"],
    "del-one-of-several-running": ["asks slp:latest"],
    "del-one-of-two-tags-same-repo-with-digest": ["asks 127.0.0.1:5005/d29:v2"],
    "del-running-by-tag-force": ["asks slp:alias"],
    "del-single-tag-by-id": [
        "e04da26263f8 gone", "f8615015586b gone", "m:1 gone", "asks m:1", "asks e04da26263f8",
        "asks f8615015586b",
    ],
    "del-single-tag-by-shortid": [
        "589717b850ad gone", "d772adceac8c gone", "m:1 gone", "asks 589717b850ad", "asks m:1",
        "asks d772adceac8c",
    ],
    "del-stopped-by-tag-force": ["asks slp:alias"],
    "engine-shutdown": ["rs:1 used: die"],
    "export": [],
    "image-prune-all": [
        "127.0.0.1:5005/d29:v1 gone", "chain:1 gone", "chain:2 gone", "dang:1 gone", "imp:1 gone",
        "io:1 gone", "asks io:1", "asks chain:2", "asks 127.0.0.1:5005/d29:v1", "asks dang:1",
        "asks chain:1", "asks imp:1",
    ],
    "image-prune-dangling": [
        "1ed84f19b588 gone", "29cca8da8858 gone", "317b8e18a9d3 gone", "380576ed3bc2 gone",
        "436401561045 gone", "6d434538a1e3 gone", "727320c7eb2f gone", "78b90e5950d7 gone",
        "ace831eee4a9 gone", "b52cc3508b94 gone", "c1bf048470e5 gone", "dbd97b188915 gone",
        "f9d0229e30fa gone", "asks 1e879156be23", "asks 1ed84f19b588", "asks 29cca8da8858",
        "asks 317b8e18a9d3", "asks 380576ed3bc2", "asks 436401561045", "asks 6d434538a1e3",
        "asks 727320c7eb2f", "asks 78b90e5950d7", "asks ace831eee4a9", "asks b52cc3508b94",
        "asks c1bf048470e5", "asks dbd97b188915", "asks f9d0229e30fa",
    ],
    "import-tagged": ["imp:1 loaded", "imp:1 used: import", "asks imp:1"],
    "import-untagged": ["dbd97b188915 loaded", "dbd97b188915 used: import", "asks dbd97b188915"],
    "load-new": ["1e879156be23 loaded", "1e879156be23 used: load", "asks 1e879156be23"],
    "load-present": ["1e879156be23 used: load", "asks 1e879156be23"],
    "pull-all-tags": [
        "127.0.0.1:5005/d29:v1 pulled", "127.0.0.1:5005/d29:v1 used: pull",
        "127.0.0.1:5005/d29:v2 pulled", "127.0.0.1:5005/d29:v2 used: pull",
        "asks 127.0.0.1:5005/d29:v1", "asks 127.0.0.1:5005/d29:v2",
    ],
    "pull-by-digest-new": [
        "127.0.0.1:5005/d29@47338fc6649a pulled", "127.0.0.1:5005/d29@47338fc6649a used: pull",
        "asks 127.0.0.1:5005/d29@47338fc6649a",
    ],
    "pull-by-digest-present": [
        "127.0.0.1:5005/d29@47338fc6649a used: pull", "asks 127.0.0.1:5005/d29@47338fc6649a",
    ],
    "pull-moves-tag": [
        "127.0.0.1:5005/mv-d29:t pulled", "127.0.0.1:5005/mv-d29:t used: pull",
        "asks 127.0.0.1:5005/mv-d29:t",
    ],
    "pull-new": [
        "127.0.0.1:5005/d29:v1 pulled", "127.0.0.1:5005/d29:v1 used: pull",
        "asks 127.0.0.1:5005/d29:v1",
    ],
    "pull-present": ["127.0.0.1:5005/d29:v1 used: pull", "asks 127.0.0.1:5005/d29:v1"],
    "push": ["127.0.0.1:5005/d29:v1 used: push", "asks 127.0.0.1:5005/d29:v1"],
    "save": ["1e879156be23 used: save"],
    "system-prune": ["com:1 gone", "asks com:1"],
    "tag-again-same": ["slp:alias used: tag"],
    "tag-api-fullname": ["slp:fq used: tag"],
    "tag-move": ["slp:fq used: tag"],
    "tag-registry": ["127.0.0.1:5005/d29:v1 used: tag"],
    "tag": ["slp:alias used: tag"],
    "untag-one-of-several": ["asks slp:alias"],
    "volume-create-rm": [],
}

PODMAN_4_3 = {
    "build-cached-newtag": ["270a3421bcb9 used: build"],
    "build": ["270a3421bcb9 built", "270a3421bcb9 used: build", "asks 270a3421bcb9"],
    "ctr-create-by-tag": ["slp:1 used: create", "slp:latest used: tag"],
    "ctr-exec": [],
    "ctr-rm": ["slp:1 used: remove"],
    "ctr-run": ["slp:alias used: die"],
    "ctr-stop": ["slp:1 used: die"],
    "image-prune-dangling": [
        "41248824346a gone", "7780f61c7f9e gone", "asks 41248824346a", "asks 7780f61c7f9e",
    ],
    "import-tagged": ["imp:1 used: tag"],
    "load-present": ["lists images"],
    "load": ["6c5d3c622017 gone", "9a0da1a22e32 gone", "lists images"],
    "pull-new": [
        "127.0.0.1:5005/pod4:v1 pulled", "127.0.0.1:5005/pod4:v1 used: pull",
        "asks 127.0.0.1:5005/pod4:v1",
    ],
    "push": ["127.0.0.1:5005/pod4:v1 used: push", "asks 127.0.0.1:5005/pod4:v1"],
    "save": ["98dd86ee2ad9 used: save"],
    "tag": ["slp:alias used: tag"],
    "untag-one-of-several": ["asks slp:alias"],
}

OUTCOMES: dict[str, dict[str, list[str]]] = {
    "docker-20.10": DOCKER_20_10,
    "docker-28.5": DOCKER_28_5,
    "docker-29.7": DOCKER_29_7,
    "podman-4.3": PODMAN_4_3,
}
