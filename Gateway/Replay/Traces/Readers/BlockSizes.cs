using System.Numerics;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Finds how many tokens a hash id stands for, where the format does not say it.</summary>
internal static class BlockSizes
{
    private const int RowsLookedAt = 64;
    private const int Smallest = 16;
    private const int Largest = 4096;
    private const int WhereUnclear = 512;

    /// <summary>The rows with <see cref="TraceRequest.BlockTokens"/> set on each that has blocks. Holds back at most the first few.</summary>
    /// <param name="rows">Read once.</param>
    /// <param name="given">The size where it is known; null: found from the first rows.</param>
    public static IEnumerable<TraceRequest> Settle(IEnumerable<TraceRequest> rows, int? given)
    {
        var held = new List<TraceRequest>();
        var size = given;
        foreach (var row in rows)
        {
            if (size is { } settled)
            {
                yield return Sized(row, settled);
                continue;
            }

            held.Add(row);
            if (held.Count == RowsLookedAt)
            {
                size = Infer(held);
                foreach (var early in held)
                {
                    yield return Sized(early, size.Value);
                }

                held.Clear();
            }
        }

        var last = size ?? Infer(held);
        foreach (var early in held)
        {
            yield return Sized(early, last);
        }
    }

    /// <summary>The power of two under which most rows have one id for each begun block.</summary>
    private static int Infer(List<TraceRequest> rows)
    {
        var (best, most) = (WhereUnclear, 0);
        for (var size = Smallest; size <= Largest; size *= 2)
        {
            var fitting = rows.Count(row => IsOpen(row) && (row.InputTokens + size - 1) / size == row.Blocks.Length);
            if (fitting > most)
            {
                (best, most) = (size, fitting);
            }
        }

        return most > 0 ? best : Nearest(rows);
    }

    private static int Nearest(List<TraceRequest> rows)
    {
        var tokens = rows.Where(IsOpen).Sum(row => (long)row.InputTokens);
        var blocks = rows.Where(IsOpen).Sum(row => (long)row.Blocks.Length);
        return blocks == 0 ? WhereUnclear : (int)Math.Clamp(BitOperations.RoundUpToPowerOf2((ulong)Math.Max(1, tokens / blocks)), Smallest, Largest);
    }

    private static bool IsOpen(TraceRequest row) => row.Blocks.Length > 0 && row.BlockTokens == 0;

    /// <summary>Ids beyond the prompt's end are dropped: nothing stands under them.</summary>
    private static TraceRequest Sized(TraceRequest row, int size)
    {
        if (row.Blocks.IsEmpty || row.BlockTokens > 0)
        {
            return row;
        }

        var blocks = Math.Min(row.Blocks.Length, (int)(((long)row.InputTokens + size - 1) / size));
        return row with { Blocks = row.Blocks[..blocks], BlockTokens = size };
    }
}
