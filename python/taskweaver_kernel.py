"""Starts one Python kernel: `python taskweaver_kernel.py -f connection.json`, as Jupyter starts `ipykernel_launcher`."""

import os
import sys


def main() -> None:
    """Runs the kernel until it is shut down."""
    here = os.path.dirname(os.path.abspath(__file__))
    # The package is found first while it is imported and last afterwards, so that it shadows nothing of the user's.
    sys.path[:] = [here, *(entry for entry in sys.path if os.path.abspath(entry or ".") != here)]
    import taskweaver.plugin

    sys.path.append(sys.path.pop(0))
    from taskweaver.kernel.compatibility import obstacles

    if obstacles():
        from taskweaver.kernel.stock_kernel import launch_stock_kernel as launch
    else:
        from taskweaver.kernel.launch import launch
    launch(sys.argv[1:])


if __name__ == "__main__":
    main()
