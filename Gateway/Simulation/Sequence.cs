namespace Gateway.Simulation;

/// <summary>State of one request inside an <see cref="EngineModel"/>, which alone writes it; reused for another request afterwards.</summary>
internal sealed class Sequence(int handle)
{
    public const int NotWaiting = -1;

    public int Handle { get; } = handle;

    public EngineRequest Request;

    /// <summary>Number of the submission; older is smaller.</summary>
    public long Arrival;

    /// <summary>Place among the waiting: priority, then order.</summary>
    public long Order;

    public int WaitingSlot = NotWaiting;

    public bool IsRunning;

    public bool WasAdmitted;

    /// <summary>Tokens generated so far; survives preemption.</summary>
    public int Generated;

    /// <summary>Tokens whose KV is computed and held.</summary>
    public int Computed;

    /// <summary>Tokens scheduled in the step that runs now.</summary>
    public int Scheduled;

    public int CachedTokens;

    public int[] Blocks = new int[16];

    public int BlockCount;

    /// <summary>Leading blocks that already carry their name.</summary>
    public int NamedBlocks;

    public int Known => Request.PromptTokens + Generated;

    public bool IsDecoding => Generated > 0 && Computed == Known - 1;

    public void Start(in EngineRequest request, long arrival)
    {
        Request = request;
        Arrival = arrival;
        Order = arrival;
        IsRunning = false;
        WasAdmitted = false;
        Generated = 0;
        CachedTokens = 0;
        LoseBlocks();
    }

    public void LoseBlocks()
    {
        Computed = 0;
        Scheduled = 0;
        BlockCount = 0;
        NamedBlocks = 0;
    }

    public void AddBlock(int block)
    {
        if (BlockCount == Blocks.Length)
        {
            Array.Resize(ref Blocks, Blocks.Length * 2);
        }

        Blocks[BlockCount++] = block;
    }
}
