# Completion of mvc in PowerShell. In $PROFILE: mvc completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName mvc -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { if ($null -ne $_.Value) { "$($_.Value)" } else { $_.Extent.Text } })
    $word = "$wordToComplete".TrimStart("'", '"')
    & mvc complete "--word=$word" -- @before 2>$null | ForEach-Object {
        $text = if ($_ -match '^[\w./:=@%+-]+$') { $_ } else { "'" + $_.Replace("'", "''") + "'" }
        [System.Management.Automation.CompletionResult]::new($text, $_, 'ParameterValue', $_)
    }
}
