"""kmeans_seg beside its peers, on the same images in the same run: see README.md."""
