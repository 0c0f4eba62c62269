namespace Gateway.Replay.Calibration;

/// <summary>Least squares with coefficients of at least 0, for a few columns and many rows. Not thread-safe.</summary>
/// <remarks>
/// Rows are folded into a triangle as they come (Householder's idea by Givens rotations), so the cost per fit does not grow with the rows. The active-set
/// method is that of Lawson and Hanson, "Solving Least Squares Problems" (1974), chapter 23.
/// </remarks>
internal sealed class LeastSquares(int columns)
{
    private const double Tolerance = 1e-10;

    // Upper triangle of columns + 1: the last column is the right-hand side, its corner the residual.
    private readonly double[,] _triangle = new double[columns + 1, columns + 1];

    /// <summary>Adds a weighted row.</summary>
    public void Add(ReadOnlySpan<double> row, double target)
    {
        Span<double> full = stackalloc double[columns + 1];
        row.CopyTo(full);
        full[columns] = target;
        for (var k = 0; k <= columns; k++)
        {
            if (full[k] == 0)
            {
                continue;
            }

            var length = Math.Sqrt((_triangle[k, k] * _triangle[k, k]) + (full[k] * full[k]));
            var (cosine, sine) = (_triangle[k, k] / length, full[k] / length);
            for (var j = k; j <= columns; j++)
            {
                var (held, coming) = (_triangle[k, j], full[j]);
                _triangle[k, j] = (cosine * held) + (sine * coming);
                full[j] = (cosine * coming) - (sine * held);
            }
        }
    }

    /// <summary>Length of a column.</summary>
    public double Norm(int column)
    {
        var sum = 0.0;
        for (var k = 0; k <= columns; k++)
        {
            sum += _triangle[k, column] * _triangle[k, column];
        }

        return Math.Sqrt(sum);
    }

    /// <summary>Share of a column's length that the other columns of a set cannot imitate: 0 where it is a mixture of them.</summary>
    public double Independence(int column, List<int> others)
    {
        var norm = Norm(column);
        return norm == 0 ? 0 : Solve([.. others.Where(other => other != column)], column).Residual / norm;
    }

    /// <summary>The best coefficients of at least 0 for the columns of a set; the others are 0.</summary>
    public double[] NonNegative(List<int> allowed, out double residual)
    {
        var passive = new List<int>();
        var x = new double[columns];
        for (var round = 0; round < 10 * (columns + 1); round++)
        {
            var entering = allowed.Except(passive).Select(column => (Column: column, Pull: Pull(column, x))).Where(each => each.Pull > Tolerance).OrderByDescending(each => each.Pull).FirstOrDefault((-1, 0));
            if (entering.Column < 0)
            {
                break;
            }

            passive.Add(entering.Column);
            Settle(passive, x);
            if (!passive.Contains(entering.Column))
            {
                // The column was added only because of rounding errors: without this exit it would enter and leave for ever.
                break;
            }
        }

        residual = Solve(passive, columns).Residual;
        return x;
    }

    /// <summary>Standard deviations of the coefficients of a set, for residuals of deviation 1.</summary>
    public double[] Deviations(List<int> set)
    {
        var result = new double[columns];
        foreach (var column in set)
        {
            var alone = Solve([.. set.Where(other => other != column)], column).Residual;
            result[column] = alone > 0 ? 1 / alone : double.PositiveInfinity;
        }

        return result;
    }

    private void Settle(List<int> passive, double[] x)
    {
        while (true)
        {
            var solved = Solve(passive, columns).Coefficients;
            var step = 1.0;
            for (var i = 0; i < passive.Count; i++)
            {
                if (solved[i] <= 0)
                {
                    step = Math.Min(step, x[passive[i]] / Math.Max(x[passive[i]] - solved[i], double.Epsilon));
                }
            }

            for (var i = 0; i < passive.Count; i++)
            {
                x[passive[i]] += step * (solved[i] - x[passive[i]]);
            }

            if (step >= 1)
            {
                return;
            }

            foreach (var column in passive.Where((column, i) => solved[i] <= 0 && x[column] <= 1e-12 * Math.Abs(solved[i])).ToArray())
            {
                x[column] = 0;
                passive.Remove(column);
            }
        }
    }

    /// <summary>How much the residual wants more of a column, relative to both lengths.</summary>
    private double Pull(int column, double[] x)
    {
        var (dot, scale) = (0.0, Norm(column) * Norm(columns));
        for (var k = 0; k <= columns; k++)
        {
            var left = _triangle[k, columns];
            for (var j = 0; j < columns; j++)
            {
                left -= _triangle[k, j] * x[j];
            }

            dot += _triangle[k, column] * left;
        }

        return scale == 0 ? 0 : dot / scale;
    }

    /// <summary>Ordinary least squares of one column of the triangle on others, by orthogonalisation.</summary>
    private (double[] Coefficients, double Residual) Solve(List<int> set, int target)
    {
        var (count, rows) = (set.Count, columns + 1);
        var basis = new double[count][];
        var upper = new double[count, count];
        for (var i = 0; i < count; i++)
        {
            var vector = Column(set[i]);
            for (var pass = 0; pass < 2; pass++)
            {
                for (var j = 0; j < i; j++)
                {
                    upper[j, i] += Reduce(vector, basis[j]);
                }
            }

            upper[i, i] = Length(vector);
            for (var k = 0; k < rows && upper[i, i] > 0; k++)
            {
                vector[k] /= upper[i, i];
            }

            basis[i] = vector;
        }

        var left = Column(target);
        var projected = new double[count];
        for (var i = 0; i < count; i++)
        {
            projected[i] = Reduce(left, basis[i]);
        }

        var coefficients = new double[count];
        for (var i = count - 1; i >= 0; i--)
        {
            var value = projected[i];
            for (var j = i + 1; j < count; j++)
            {
                value -= upper[i, j] * coefficients[j];
            }

            coefficients[i] = upper[i, i] > 0 ? value / upper[i, i] : 0;
        }

        return (coefficients, Length(left));
    }

    private double[] Column(int column)
    {
        var vector = new double[columns + 1];
        for (var k = 0; k <= columns; k++)
        {
            vector[k] = _triangle[k, column];
        }

        return vector;
    }

    /// <summary>Takes a unit vector's share out of a vector.</summary>
    /// <returns>That share.</returns>
    private static double Reduce(double[] vector, double[] unit)
    {
        var share = 0.0;
        for (var k = 0; k < vector.Length; k++)
        {
            share += vector[k] * unit[k];
        }

        for (var k = 0; k < vector.Length; k++)
        {
            vector[k] -= share * unit[k];
        }

        return share;
    }

    private static double Length(double[] vector) => Math.Sqrt(vector.Sum(value => value * value));
}
