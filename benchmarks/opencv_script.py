"""The script that `kmeans-seg PHOTO -k 3 --space lab -o OUT.png` stands in for.

Everything is left at its default: CIELAB in 8 bits, as OpenCV's tutorials take
it, and OpenCV's way to write PNG. Only the seeds are fixed, so that every
round does the same work: the fastest of several would else be the luckiest.
"""

import sys

import cv2
import numpy as np
from sklearn.cluster import KMeans


def main(photo: str, out: str) -> None:
    image = cv2.imread(photo)
    assert image is not None
    lab = cv2.cvtColor(image, cv2.COLOR_BGR2LAB)
    model = KMeans(3, random_state=0)
    labels = model.fit_predict(lab.reshape(-1, 3).astype(np.float32))
    palette = np.rint(model.cluster_centers_).astype(np.uint8)
    painted = cv2.cvtColor(palette[labels].reshape(lab.shape), cv2.COLOR_LAB2BGR)
    cv2.imwrite(out, painted)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
