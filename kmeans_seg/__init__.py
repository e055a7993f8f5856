"""kmeans_seg: segment images with k-means, in pure NumPy, exactly."""
