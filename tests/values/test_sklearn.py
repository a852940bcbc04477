"""Fingerprints of estimators, which no adapter knows: by their reduced form."""

import numpy as np
import pytest
from sklearn import (
    cluster,
    decomposition,
    ensemble,
    linear_model,
    neighbors,
    pipeline,
    preprocessing,
    svm,
    tree,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from lean_magic.values import fingerprint

X = np.random.default_rng(0).normal(size=(30, 3))
Y = (X[:, 0] > 0).astype(int)
TEXTS = ["a cat", "a dog", "the cat and the dog"] * 10
ESTIMATORS = [
    lambda **o: linear_model.LogisticRegression(**o), lambda **o: linear_model.Ridge(**o), lambda **o: tree.DecisionTreeClassifier(**{"random_state": 0, **o}),
    lambda **o: ensemble.RandomForestClassifier(3, **{"random_state": 0, **o}), lambda **o: ensemble.HistGradientBoostingClassifier(max_iter=3, **{"random_state": 0, **o}),
    lambda **o: neighbors.KNeighborsClassifier(3, **o), lambda **o: neighbors.KNeighborsClassifier(3, algorithm="kd_tree", **o), lambda **o: svm.SVC(**o),
    lambda **o: cluster.KMeans(2, **{"random_state": 0, "n_init": 1, **o}), lambda **o: decomposition.PCA(2, **o), lambda **o: preprocessing.StandardScaler(**o),
    lambda **o: pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(**o)),
]  # fmt: skip


@pytest.mark.parametrize("make", ESTIMATORS, ids=lambda make: type(make()).__name__)
def test_estimators(make):
    """An estimator counts by kind, settings and what it has learned; asking it changes nothing."""
    fitted, again, other = make().fit(X, Y), make().fit(X, Y), make().fit(X * 2 + 1, 1 - Y)
    assert fingerprint(make()) == fingerprint(make())
    assert len({fingerprint(make()), fingerprint(fitted), fingerprint(other)}) == 3
    assert fingerprint(fitted) == fingerprint(again)
    getattr(fitted, "predict", getattr(fitted, "transform", None))(X)
    repr(fitted)
    assert fingerprint(fitted) == fingerprint(again)


def test_settings_count():
    """One setting changed is another estimator."""
    assert fingerprint(svm.SVC(C=1.0)) != fingerprint(svm.SVC(C=1.1)) != fingerprint(svm.SVC(C=1))


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_vectorizers(kind):
    """A vectoriser counts by its vocabulary; using it changes nothing."""
    fitted = kind().fit(TEXTS)
    before = fingerprint(fitted)
    fitted.transform(TEXTS)
    assert fingerprint(fitted) == before == fingerprint(kind().fit(TEXTS))
    assert before != fingerprint(kind().fit([*TEXTS, "bird"]))


def test_sparse_matrices():
    """A sparse matrix counts by format, dtype and elements."""
    matrix = CountVectorizer().fit_transform(TEXTS)
    kinds = [
        matrix,
        matrix.tocsc(),
        matrix.tocoo(),
        matrix.astype(float),
        matrix * 2,
        matrix.toarray(),
        matrix[:5],
    ]
    assert len({fingerprint(kind) for kind in kinds}) == len(kinds)
    assert fingerprint(matrix) == fingerprint(matrix.copy())
