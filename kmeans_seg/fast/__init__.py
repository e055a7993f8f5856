"""The fast twins. Each file replaces one thing of the core, with the same bits.

| file          | what it replaces                                | held equal by                  |
|---------------|-------------------------------------------------|--------------------------------|
| `counting.py` | `distinct.distinct_colors`: tables, radix sorts | tests/test_fast_counting.py    |
| `plusplus.py` | `seeding.Potential`: cell by cell               | tests/test_fast_plusplus.py    |
| `clusters.py` | `lloyd.Clusters`: pruned, with running sums     | tests/test_fast_clusters.py    |

`cells.py` (points in bounding boxes) and `pruning.py` (the assignment of
`clusters.py`) serve these. Nothing in the core imports this package:
`strategies` is where the two meet.
"""
