#!/usr/bin/env bash
# Prints the path of the sample video, fetched first where it is missing: the pedestrians of
# Debian's and Ubuntu's package opencv-doc (795 frames, 768 x 576, 10 Hz). Needs no root.
set -euo pipefail
cache=${XDG_CACHE_HOME:-$HOME/.cache}/poseflow_ros
video=$cache/vtest.avi
if [ ! -f "$video" ]; then
  mkdir -p "$cache"
  # Of several that start at once, one fetches it and the others wait.
  exec 9> "$cache/vtest.lock"
  flock 9
fi
if [ ! -f "$video" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  echo "fetching the sample video (package opencv-doc, 95 MB)" >&2
  download() { (cd "$folder" && apt-get download -qq opencv-doc 2>"$folder/log"); }
  if ! download; then
    # A machine whose package lists were never fetched; only root may, and sudo without a question.
    { apt-get update -qq || sudo -n apt-get update -qq; } >>"$folder/log" 2>&1 || true
    download || {
      echo "the sample video could not be fetched: $(grep -m1 '^E:' "$folder/log" || tail -n1 "$folder/log")" >&2
      echo "any other will do: make demo VIDEO=path" >&2
      exit 1
    }
  fi
  dpkg -x "$folder"/opencv-doc_*.deb "$folder/package"
  found=$(find "$folder/package" -name 'vtest.avi*' | head -n 1)
  case $found in
    *.gz) gunzip -c "$found" > "$folder/vtest.avi" ;;
    ?*) mv "$found" "$folder/vtest.avi" ;;
    *) echo "the package opencv-doc holds no vtest.avi; any other video will do: make demo VIDEO=path" >&2; exit 1 ;;
  esac
  mv "$folder/vtest.avi" "$video"  # last, so that no half a file is ever taken for it
fi
echo "$video"
