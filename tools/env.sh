# Puts a shell into the environment that `make setup` made: `. tools/env.sh` (bash, zsh; others from this folder's parent).
if [ -n "${BASH_SOURCE:-}" ]; then _poseflow_root=$(cd "$(dirname "$BASH_SOURCE")/.." && pwd)
elif [ -n "${ZSH_VERSION:-}" ]; then _poseflow_root=$(cd "$(dirname "${(%):-%x}")/.." && pwd)
else _poseflow_root=$PWD; fi

if [ ! -f "$_poseflow_root/install/local_setup.sh" ]; then
  echo "env.sh: $_poseflow_root/install is missing; run \`make setup\` there first" >&2
  unset _poseflow_root
  return 1
fi
VIRTUAL_ENV="$_poseflow_root/.venv"
PATH="$VIRTUAL_ENV/bin:$PATH"
if [ -z "${ROS_DISTRO:-}" ]; then  # the wheels are the ROS 2 installation
  AMENT_PREFIX_PATH="$VIRTUAL_ENV"
  unset _ROS_WHEELS_BOOTSTRAP_COMPLETE  # set by another wheel environment, it would keep this one's libraries out
fi
export VIRTUAL_ENV PATH AMENT_PREFIX_PATH
COLCON_CURRENT_PREFIX="$_poseflow_root/install" . "$_poseflow_root/install/local_setup.sh"
unset _poseflow_root
