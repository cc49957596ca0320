"""The distributions that the comparisons need, to about twelve digits: normal, Student's t, and binomial tails.

No function here subtracts two logarithms of factorials. For a million rows they agree in so many digits that the
difference loses eight.

Sources: the binomial probability is Loader's (Fast and accurate computation of binomial probabilities, 2000). The
incomplete beta function is its continued fraction (DLMF 8.17.22). The ratio of gamma functions before that fraction is
a series for large arguments (DLMF 5.11.13).
"""

from __future__ import annotations

import math

_SMALL = 1e-300  # in the place of a denominator of 0
_DONE = 1e-16  # relative size of a term that changes no digit
_NORMAL_FROM = 1e8  # degrees of freedom; from here on Student's t is the normal distribution in all digits kept


def normal_cdf(x: float) -> float:
    """The share of the standard normal distribution below X."""
    return 0.5 * math.erfc(-x / math.sqrt(2))


def normal_quantile(p: float) -> float:
    """The x that has the share P of the standard normal distribution below it; infinite for 0 and 1."""
    if not 0 < p < 1:
        return math.inf if p >= 1 else -math.inf
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def t_sf(t: float, df: float) -> float:
    """The share of Student's t distribution with DF degrees of freedom above T; nan where DF is not positive."""
    if t != t or df <= 0:  # noqa: PLR0124 - nan
        return math.nan
    if df >= _NORMAL_FROM or math.isinf(t):
        return normal_cdf(-t)
    square = t * t
    half = 0.5 * _beta_tail(df, square)
    return half if t > 0 else 1 - half


def t_cdf(t: float, df: float) -> float:
    """The share of Student's t distribution with DF degrees of freedom below T."""
    return t_sf(-t, df)


def t_quantile(p: float, df: float) -> float:
    """The t that has the share P of Student's t distribution below it, by bisection; infinite for 0 and 1."""
    if not 0 < p < 1:
        return math.inf if p >= 1 else -math.inf
    if p == 0.5:
        return 0.0
    tail = min(p, 1 - p)
    low, high = 0.0, max(1.0, -normal_quantile(tail))
    while t_sf(high, df) > tail:
        low, high = high, high * 2
        if high > 1e300:
            break
    found = high
    for _ in range(200):
        found = (low + high) / 2
        if found in {low, high}:
            break
        if t_sf(found, df) > tail:
            low = found
        else:
            high = found
    return found if p > 0.5 else -found


def _beta_tail(df: float, square: float) -> float:
    """I_x(df/2, 1/2) at x = df/(df + square): both tails of Student's t beyond the square root of SQUARE."""
    a, b = df / 2, 0.5
    if square == 0:
        return 1.0
    log_x = -math.log1p(square / df)
    x, rest = df / (df + square), square / (df + square)
    front = math.exp(a * log_x + b * math.log(rest)) * _gamma_ratio(a) / math.sqrt(math.pi)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _gamma_ratio(a: float) -> float:
    """gamma(a + 1/2) / gamma(a). Source for large A: DLMF 5.11.13."""
    if a < 40:
        return math.exp(math.lgamma(a + 0.5) - math.lgamma(a))
    u = 1 / a
    return math.sqrt(a) * (
        1 + u * (-1 / 8 + u * (1 / 128 + u * (5 / 1024 + u * (-21 / 32768 + u * (-399 / 262144 + u * 869 / 4194304)))))
    )


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 100_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + numerator * d)
            c = _away(1 + numerator / c)
            value *= c * d
        if abs(c * d - 1) < _DONE * 4:
            break
    return value


def _away(x: float) -> float:
    """X, kept away from 0, as Lentz's method needs it."""
    return x if abs(x) > _SMALL else _SMALL


def binomial_pmf(k: int, n: int, p: float) -> float:
    """The probability of K successes in N tries with probability P each. Source: Loader 2000."""
    if k == 0:
        return math.exp(n * math.log1p(-p))
    if k == n:
        return math.exp(n * math.log(p))
    error = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    away = _deviance(k, n * p) + _deviance(n - k, n * (1 - p))
    return math.exp(error - away) * math.sqrt(n / (2 * math.pi * k * (n - k)))


def half_tail(k: int, n: int) -> float:
    """The probability of at most K heads in N throws of a fair coin."""
    if k < 0:
        return 0.0
    if k >= n:
        return 1.0
    if 2 * k >= n:  # so that the sum runs over the smaller tail
        return 1 - half_tail(n - k - 1, n)
    term = total = binomial_pmf(k, n, 0.5)
    while k > 0 and term > total * _DONE:
        term *= k / (n - k + 1)
        total += term
        k -= 1
    return total


def _stirling_error(n: int) -> float:
    """log(n!) less Stirling's formula: Loader's series (2000), and the difference itself below 16."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    u = 1 / (n * n)
    return (1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u / 1188)))) / n


def _deviance(x: float, mean: float) -> float:
    """The deviance x log(x/mean) + mean - x, without loss of digits where X is close to MEAN. Source: Loader 2000."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    total, term, odd = (x - mean) * v, 2 * x * v, 1
    while True:
        term *= v * v
        odd += 2
        further = total + term / odd
        if further == total:
            return total
        total = further
