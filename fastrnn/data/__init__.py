"""Series and tables: what is read from files and data frames, and windows, splits and scaling of it."""

from fastrnn.data.windows import Scaling, Split, split_by_time, varies, windows

__all__ = ["Scaling", "Split", "split_by_time", "varies", "windows"]
