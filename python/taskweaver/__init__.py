"""What runs inside the Python kernels of TaskWeaver Executor: the kernel itself and the package that plugins import."""

__version__ = "0.1.0"
