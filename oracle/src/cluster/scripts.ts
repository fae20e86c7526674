/**
 * What runs inside an attempt's pod, in busybox's ash. The helper image brings a static busybox; the init container copies
 * it into a volume, so that the wrapper also runs in images that hold nothing but one program.
 */

/** Paths that a task sees. */
export const taskPaths = { input: "/input", output: "/output", checkpoint: "/checkpoint" } as const;

const BUSYBOX = "/dekuper/bin/busybox";
/** Written by the helper, read-only for the task: the marks `ready`, `stop`, `done`, a new `limit`, and for each that waits a pipe to wake it. */
const CONTROL = "/dekuper/control";

/** Seconds from TERM to KILL. */
export const KILL_AFTER_SECONDS = 5;
/** First word of the wrapper's termination message. */
export const MESSAGE_TAG = "dekuper/1";

/**
 * `read -t 1` on a pipe that the shell itself holds open is a sleep without a fork: it goes on working in a pod whose
 * process limit a fork bomb has used up, and whoever writes a line to the pipe ends it at once.
 */
const waitTick = "read -r -t 1 _ <&3";

/** Ends `$old` and what it started: the runtime gives each exec a session of its own. */
const endGroup = 'kill -KILL "-$old" "$old" 2>/dev/null || :';

/** Init container: hands out busybox, makes the pipe, and waits for the inputs. Arguments: seconds to wait, `1` if none will come. */
export const prepareScript = `set -eu
umask 022
cp /bin/busybox ${BUSYBOX}.new && mv -f ${BUSYBOX}.new ${BUSYBOX}
cd ${CONTROL}
for waiter in inputs main helper; do [ -p tick.$waiter ] || mkfifo -m 600 tick.$waiter; done
[ "$2" = 1 ] && exit 0
exec 3<>tick.inputs
trap 'exit 143' TERM
left=$1
while [ ! -e ready ]; do
  [ "$left" -gt 0 ] || { echo "no inputs came within $1 seconds" >/dev/termination-log; exit 1; }
  ${waitTick} || left=$((left - 1))
done
`;

/**
 * Runs by exec in the waiting init container. Arguments: bytes of the list of digests that comes first on stdin, and of the
 * tar that follows, whose names begin with the folder that a file is for. Repeats harmlessly, also while an earlier one still waits for bytes of a connection that broke; marks the inputs ready only after every file has the digest that the order names.
 */
export const receiveScript = `set -eu
cd ${CONTROL}
[ -e ready ] && { head -c "$(($1 + $2))" >/dev/null; exit 0; }
if [ -e receiver ]; then read -r old <receiver; ${endGroup}; fi
echo $$ >receiver
for folder in ${taskPaths.input} ${taskPaths.checkpoint}; do rm -rf $folder/..?* $folder/.[!.]* $folder/*; done
dd bs="$1" count=1 iflag=fullblock of=digests 2>/dev/null
cd /
head -c "$2" | tar -x -o -f -
sha256sum -c ${CONTROL}/digests >${CONTROL}/check 2>&1 || { grep -v ': OK$' ${CONTROL}/check | head -n 5 >&2; exit 4; }
: >${CONTROL}/ready
echo 1<>${CONTROL}/tick.inputs
`;

/** A task hears of a filling /output when it holds this share of what is delivered; looked at every so many seconds. */
const WARN_PERCENT = 80;
const LOOK_AT_OUTPUT_SECONDS = 10;

/**
 * PID 1 of the main container. Arguments: seconds that the run may last, KiB that /output may hold, then the task's command. The command runs as its
 * child in a session of its own, so that a signal reaches all its processes; the wrapper ends with the child's exit code and
 * leaves why, that code, and the CPU time of child processes as the termination message.
 */
export const wrapperScript = `limit=$1 most=$2; shift 2
why=exited child= signalled=
term() { signalled=1; [ -n "$child" ] && kill -TERM "-$child" 2>/dev/null; }
stop() { why=$1; term; }
trap term TERM
trap 'stop time-limit' USR1
trap 'stop stopped' USR2
if [ -e ${CONTROL}/stop ]; then
  echo "${MESSAGE_TAG} stopped 143 0m0s 0m0s" >/dev/termination-log; exit 143
fi
${BUSYBOX} setsid "$@" &
child=$!
(
  trap - TERM USR1 USR2
  exec 3<>${CONTROL}/tick.main
  uptime() { read -r now _ </proc/uptime; now=\${now%.*}; }
  uptime; begun=$now signal=
  while [ -z "$signal" ]; do
    ${waitTick}
    uptime
    [ -e ${CONTROL}/limit ] && read -r limit <${CONTROL}/limit
    if [ -e ${CONTROL}/stop ]; then signal=USR2
    elif [ $((now - begun)) -ge "$limit" ]; then signal=USR1
    fi
  done
  kill -"$signal" 1
  uptime; begun=$now
  while [ $((now - begun)) -lt ${KILL_AFTER_SECONDS} ]; do ${waitTick}; uptime; done
  kill -KILL "-$child" 2>/dev/null
) &
(
  # Apart from the one above: this one forks, and a fork bomb ends it.
  trap - TERM USR1 USR2
  exec 4>&2 2>/dev/null
  while ${BUSYBOX} sleep ${LOOK_AT_OUTPUT_SECONDS}; do
    holds=$(${BUSYBOX} du -sk ${taskPaths.output}); holds=\${holds%%[!0-9]*}
    [ $((\${holds:-0} * 100)) -lt $((most * ${WARN_PERCENT})) ] && continue
    echo "dekuper: /output holds $holds KiB of the $most KiB that are delivered; above that, only the log is" >&4
    break
  done
) &
# A signal ends \`wait\` with a number of its own; asked again, it tells the child's, also of one that has ended.
while :; do
  signalled=
  wait "$child"; code=$?
  [ -n "$signalled" ] || break
done
{ echo "${MESSAGE_TAG} $why $code"; times; } >/dev/termination-log
exit "$code"
`;

/**
 * The helper: waits until the oracle has taken what it wants, and then, for 20 seconds at most, for whoever told it: a
 * container that ends kills what was run in it by exec, and the oracle would hear of a failure.
 */
export const holdScript = `cd ${CONTROL}
trap 'exit 0' TERM
exec 3<>tick.helper
while [ ! -e done ]; do ${waitTick}; done
marker= waits=0
until read -r marker <done || [ $((waits += 1)) -gt 20 ]; do read -r -t 0.1 _ <&3; done
while [ -n "$marker" ] && kill -0 "$marker" 2>/dev/null && [ $((waits += 1)) -lt 200 ]; do read -r -t 0.1 _ <&3; done
exit 0
`;

/**
 * Sets a mark (`stop` or `done`) that holds its own process id, and wakes whoever waits for it. Without a fork: it works in a
 * pod whose process limit is used up.
 */
export const markScript = `cd ${CONTROL} && echo $$ >"$1" && for pipe in tick.*; do echo 1<>"$pipe"; done`;

/** Gives the wrapper another number of seconds that the run may last, counted from its start. */
export const limitScript = `cd ${CONTROL} && echo "$1" >limit.new && mv -f limit.new limit`;

/** What a task made unreadable to itself (mode 000) is made readable; only once it has ended, for it would see that. */
const makeReadable = `find . -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null
find . -type f ! -perm -400 -exec chmod u+r {} + 2>/dev/null
`;

/**
 * Streams a folder as a tar on stdout; the last line of stderr is the trailer: tag, bytes, sha-256, and tar's exit code.
 * What tar cannot read it names on stderr and leaves out, which is the task's loss and no failure of the stream. The digest
 * is taken of the same bytes by a pipe.
 * What an earlier one left that nobody reads any more is ended first, or each broken connection would cost the helper memory.
 */
const sendScript = (folder: string, prepare: string) => `cd ${folder} || exit 3
${prepare}for work in ${CONTROL}/send${folder.replace("/", ".")}.*; do
  [ -d "$work" ] || continue
  old=\${work##*.}; ${endGroup}
  rm -rf "$work"
done
work=${CONTROL}/send${folder.replace("/", ".")}.$$
mkdir "$work" && mkfifo "$work/digest" "$work/count" || exit 3
sha256sum <"$work/digest" >"$work/sum" &
wc -c <"$work/count" >"$work/bytes" &
{ tar -cf - . ; echo $? >"$work/tar"; } | tee "$work/digest" "$work/count" || exit 3
wait
read -r sum _ <"$work/sum"; read -r bytes _ <"$work/bytes"; read -r tar <"$work/tar"
rm -rf "$work"
echo >&2
echo "${MESSAGE_TAG} trailer $bytes $sum $tar" >&2
`;
export const sendOutputScript = sendScript(taskPaths.output, makeReadable);
export const sendCheckpointScript = sendScript(taskPaths.checkpoint, "");

/** Bytes of the regular files under a folder. */
export const measureScript = `find "$1" -type f -exec stat -c %s {} + 2>/dev/null |
{ sum=0; while read -r size; do sum=$((sum + size)); done; echo "$sum"; }`;

/** One NUL-ended `<sha256> <size> <path>` for each regular file of CHECKPOINT_DIR: names may hold newlines. */
export const checkpointScript = `cd ${taskPaths.checkpoint} || exit 3
find . -type f -exec sh -c '
  for file; do
    sum=$(sha256sum <"$file") && size=$(stat -c %s "$file") && printf "%s %s %s\\0" "\${sum%% *}" "$size" "\${file#./}"
  done
' sh {} +
`;
