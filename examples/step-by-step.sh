#!/bin/sh
# A container with nothing but stage tools and sh: what `ocitk run -b BUNDLE ID` does, one step a line. Any step can be
# left out, and strace, gdb, env or a shell can stand between any two. As root:
#
#     examples/step-by-step.sh BUNDLE [ID]
#
# The tools are looked for in PATH; after the pivot they find each other without it.
set -eu
bundle=${1:?usage: step-by-step.sh BUNDLE [ID]} id=${2:-step-by-step-$$}

inside='
# Still the host: its files are in sight, the new root is only built.
exec \
  ocitk-keyring         `# a session keyring of its own` \
  ocitk-network         `# lo goes up` \
  ocitk-rootfs          `# the new root, its mounts, its /dev` \
  ocitk-hooks           `# of the bundle: prestart, createRuntime, createContainer` \
  ocitk-console         `# a session, and a terminal if the bundle wants one` \
  ocitk-masks           `# what is to be hidden or read-only` \
  ocitk-sysctl          `# kernel parameters of the new namespaces` \
  ocitk-pivot           `# the host is gone from here on` \
  sh -c "$later"        # the sh of the container
'
later='
exec \
  ocitk-hostname \
  ocitk-rlimits         `# still privileged: a hard limit may go up` \
  ocitk-no-new-privs \
  ocitk-cwd             `# root may enter where the user may not` \
  ocitk-bounding        `# capabilities nobody gets back` \
  ocitk-user \
  ocitk-caps            `# after the ids have changed` \
  ocitk-seccomp         `# what is left may only do what the filter allows` \
  ocitk-hooks           `# startContainer` \
  ocitk-exec            # nothing of the chain stays behind
'
export later

exec \
  ocitk-spec -b "$bundle" --id "$id" `# reads and checks config.json` \
  ocitk-idmap           `# stays outside until the ids are mapped` \
  ocitk-cgroup          `# stays outside, and removes the cgroup at the end` \
  ocitk-unshare         `# the chain goes on in a child, process 1 of a new PID namespace` \
  sh -c "$inside"
