"""The fast twins. Each file in the table replaces one thing of the core, with the same bits.

| file          | what it replaces                                 | checked by                  |
|---------------|--------------------------------------------------|-----------------------------|
| `counting.py` | `distinct_colors` and `canonical_order` of       | tests/test_fast_counting.py |
|               | `distinct`: tables, radix sorts                  |                             |
| `plusplus.py` | `seeding.Potential`: cell by cell                | tests/test_fast_plusplus.py |
| `clusters.py` | `lloyd.Clusters`: pruned, with running sums      | tests/test_fast_clusters.py |
| `streamed.py` | `lloyd.Clusters`: points read in every pass      | tests/test_fast_streamed.py |
| `nearest.py`  | `lloyd.nearest_center`: decided by one product   | tests/test_fast_nearest.py  |

`cells.py` (points in bounding boxes) and `pruning.py` (the assignment of
`clusters.py`) serve these. No file of the core imports this package: `exact`,
`lloyd`, `seeding`, `distinct`, `principal`, `colorspace` and `errstate`. The
plain things and their twins meet in one place, the table in `strategies`.
`streaming` and `dask`, which read what does not fit in memory, use the fast ones
directly.
"""
