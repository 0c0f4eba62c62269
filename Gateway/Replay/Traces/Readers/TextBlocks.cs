using System.Text;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Gives a request its text, and block hashes made from it: equal beginnings share.</summary>
/// <remarks>Block borders are those of <see cref="SimulatedTokenizer"/>, so the shared part in real tokens is an approximation.</remarks>
internal static class TextBlocks
{
    private const int BlockTokens = 16;

    public static TraceRequest Give(TraceRequest request, string text)
    {
        if (!request.Blocks.IsEmpty)
        {
            return request with { Prompt = text };
        }

        var hashes = SimulatedTokenizer.BlockHashes(Encoding.UTF8.GetBytes(text), BlockTokens, 0);
        var blocks = Math.Min(hashes.Count, request.InputTokens / BlockTokens);
        return request with { Prompt = text, Blocks = hashes.ToArray().AsMemory(0, blocks), BlockTokens = blocks > 0 ? BlockTokens : 0 };
    }
}
