"""The similarities once more as plain loops over numbers, to compare the vectorised ones with."""

import numpy as np


def pairs_of(function, rows, columns):
    result = np.zeros((len(rows), len(columns)))
    for m, row in enumerate(rows):
        for n, column in enumerate(columns):
            result[m, n] = function(row, column)
    return result


def box_iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / either if either > 0 else 0.0


def box_correspondence_iou(a, b, matches):
    both = either = 0
    for x_prev, y_prev, x_now, y_now in matches:
        starts = a[0] <= x_prev <= a[2] and a[1] <= y_prev <= a[3]
        ends = b[0] <= x_now <= b[2] and b[1] <= y_now <= b[3]
        both += starts and ends
        either += starts or ends
    return both / either if either else 0.0


def around(point, mag):
    return (point[0] - mag, point[1] - mag, point[0] + mag, point[1] + mag)


def mean_of_best(values, num):
    best = sorted(values, reverse=True)[:num]
    return sum(best) / len(best)


def pose_iou(a, b, num, mag):
    values = [box_iou(around(p, mag), around(q, mag)) for p, q in zip(a, b, strict=True)]
    return mean_of_best(values, num)


def pose_correspondence_iou(a, b, matches, num, mag):
    values = [
        box_correspondence_iou(around(p, mag), around(q, mag), matches)
        for p, q in zip(a, b, strict=True)
    ]
    return mean_of_best(values, num)
