namespace Gateway.Simulation;

/// <summary>The running requests of an engine in the order of admission. Not thread-safe.</summary>
internal sealed class RunningRequests(int capacity)
{
    private readonly Sequence[] _sequences = new Sequence[capacity];

    public int Count { get; private set; }

    /// <summary>Whether one more would exceed the engine's limit of sequences.</summary>
    public bool IsFull => Count == _sequences.Length;

    public Sequence this[int index] => _sequences[index];

    public void Add(Sequence sequence)
    {
        sequence.IsRunning = true;
        _sequences[Count++] = sequence;
    }

    public void Remove(Sequence sequence) => RemoveAt(Array.IndexOf(_sequences, sequence, 0, Count));

    public void RemoveAt(int index)
    {
        _sequences[index].IsRunning = false;
        Array.Copy(_sequences, index + 1, _sequences, index, Count - index - 1);
        _sequences[--Count] = null!;
    }

    /// <summary>Leaves out those that have ended; the others keep their order.</summary>
    public void DropEnded()
    {
        var kept = 0;
        for (var index = 0; index < Count; index++)
        {
            if (_sequences[index].IsRunning)
            {
                _sequences[kept++] = _sequences[index];
            }
        }

        Array.Clear(_sequences, kept, Count - kept);
        Count = kept;
    }

    /// <summary>Who is preempted when the KV blocks run out: the last to be admitted, or by priority the least urgent, of several the last to come.</summary>
    public int VictimIndex(bool byPriority)
    {
        var victim = Count - 1;
        for (var index = victim - 1; byPriority && index >= 0; index--)
        {
            var (candidate, worst) = (_sequences[index], _sequences[victim]);
            if ((candidate.Request.Priority, candidate.Arrival).CompareTo((worst.Request.Priority, worst.Arrival)) > 0)
            {
                victim = index;
            }
        }

        return victim;
    }

    /// <summary>What is scheduled for the next step.</summary>
    public StepLoad Scheduled()
    {
        int tokens = 0, sequences = 0, decodes = 0, chunks = 0;
        long context = 0;
        double pairs = 0;
        for (var index = 0; index < Count; index++)
        {
            var sequence = _sequences[index];
            if (sequence.Scheduled == 0)
            {
                continue;
            }

            sequences++;
            tokens += sequence.Scheduled;
            if (sequence.IsDecoding)
            {
                decodes++;
                context += sequence.Computed;
            }
            else
            {
                chunks++;
                pairs += sequence.Scheduled * (sequence.Computed + (sequence.Scheduled / 2.0));
            }
        }

        return new StepLoad(tokens, sequences, decodes, context, chunks, pairs);
    }
}
